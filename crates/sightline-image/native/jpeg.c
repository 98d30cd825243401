/* The few calls of libjpeg that decoding needs, behind an interface without structs, macros and longjmp.
 *
 * libjpeg reports errors through a function that must not return. Jumping out of it over Rust frames would be
 * undefined, so every jump here starts and ends in C: each entry point has its own setjmp and no Rust function is
 * called from here.
 *
 * The source never refills: when the bytes run out, libjpeg suspends, as it does in Pillow.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jpeglib.h"
#include "jerror.h"

/* Results of the entry points. */
enum { OK = 0, SUSPENDED = 1, FAILED = 2 };

/* No encoder writes more scans than a few dozen; without a limit a small file keeps a decoder busy for minutes. */
#define MAX_SCANS 200

struct sightline_jpeg {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr error;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
};

struct sightline_jpeg_header {
    uint32_t width;
    uint32_t height;
    uint32_t components;
};

static void on_error(j_common_ptr cinfo) {
    struct sightline_jpeg *jpeg = cinfo->client_data;
    cinfo->err->format_message(cinfo, jpeg->message);
    longjmp(jpeg->jump, 1);
}

static void on_message(j_common_ptr cinfo, int level) {
    (void)cinfo;
    (void)level;
}

static void on_progress(j_common_ptr cinfo) {
    struct sightline_jpeg *jpeg = cinfo->client_data;
    if (cinfo->is_decompressor && ((j_decompress_ptr)cinfo)->input_scan_number > MAX_SCANS) {
        strcpy(jpeg->message, "More progressive scans than any encoder writes");
        longjmp(jpeg->jump, 1);
    }
}

static void source_nothing(j_decompress_ptr cinfo) {
    (void)cinfo;
}

static boolean source_fill(j_decompress_ptr cinfo) {
    (void)cinfo;
    return FALSE;
}

static void source_skip(j_decompress_ptr cinfo, long count) {
    struct jpeg_source_mgr *source = cinfo->src;
    if (count <= 0) {
        return;
    }
    size_t step = (size_t)count;
    if (step > source->bytes_in_buffer) {
        step = source->bytes_in_buffer;
    }
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

static int create(struct sightline_jpeg *jpeg) {
    jpeg->cinfo.err = jpeg_std_error(&jpeg->error);
    jpeg->error.error_exit = on_error;
    jpeg->error.emit_message = on_message;
    if (setjmp(jpeg->jump)) {
        return 0;
    }
    /* Only the error manager and the client data survive this call. */
    jpeg->cinfo.client_data = jpeg;
    jpeg_create_decompress(&jpeg->cinfo);
    return 1;
}

/* A decoder over bytes that must outlive it; NULL when memory is short. */
struct sightline_jpeg *sightline_jpeg_new(const uint8_t *bytes, size_t length) {
    struct sightline_jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (jpeg == NULL || !create(jpeg)) {
        free(jpeg);
        return NULL;
    }
    jpeg->source.init_source = source_nothing;
    jpeg->source.fill_input_buffer = source_fill;
    jpeg->source.skip_input_data = source_skip;
    jpeg->source.resync_to_restart = jpeg_resync_to_restart;
    jpeg->source.term_source = source_nothing;
    jpeg->source.next_input_byte = bytes;
    jpeg->source.bytes_in_buffer = length;
    jpeg->cinfo.src = &jpeg->source;
    jpeg->progress.progress_monitor = on_progress;
    jpeg->cinfo.progress = &jpeg->progress;
    return jpeg;
}

void sightline_jpeg_free(struct sightline_jpeg *jpeg) {
    if (jpeg == NULL) {
        return;
    }
    /* Destroying frees memory only; should it ever fail, leaking is all that is left. */
    if (setjmp(jpeg->jump) == 0) {
        jpeg_destroy_decompress(&jpeg->cinfo);
        free(jpeg);
    }
}

/* What libjpeg said about the last FAILED; valid until the decoder is freed. */
const char *sightline_jpeg_message(const struct sightline_jpeg *jpeg) {
    return jpeg->message;
}

/* Reads up to the first scan. */
int sightline_jpeg_header(struct sightline_jpeg *jpeg, struct sightline_jpeg_header *header) {
    if (setjmp(jpeg->jump)) {
        return FAILED;
    }
    int got;
    do {
        got = jpeg_read_header(&jpeg->cinfo, FALSE);
    } while (got == JPEG_HEADER_TABLES_ONLY);
    if (got == JPEG_SUSPENDED) {
        return SUSPENDED;
    }
    header->width = jpeg->cinfo.image_width;
    header->height = jpeg->cinfo.image_height;
    header->components = (uint32_t)jpeg->cinfo.num_components;
    return OK;
}

/* Prepares for rows: of 1, 3 or 4 components, 4 giving CMYK as stored, 1 and 3 giving RGB. With raw set, the stored
 * components come out without conversion of colours. With ycc set, three components are YCbCr whatever the markers
 * say. A progressive file is read to its end here. */
int sightline_jpeg_start(struct sightline_jpeg *jpeg, int raw, int ycc) {
    if (setjmp(jpeg->jump)) {
        return FAILED;
    }
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    if (raw) {
        cinfo->jpeg_color_space = JCS_UNKNOWN;
        cinfo->out_color_space = JCS_UNKNOWN;
    } else {
        if (ycc && cinfo->num_components == 3) {
            cinfo->jpeg_color_space = JCS_YCbCr;
        }
        cinfo->out_color_space = cinfo->num_components == 4 ? JCS_CMYK : JCS_RGB;
    }
    cinfo->dct_method = JDCT_ISLOW;
    cinfo->do_fancy_upsampling = TRUE;
    return jpeg_start_decompress(cinfo) ? OK : SUSPENDED;
}

/* Decodes up to `count` rows of `stride` bytes each into `rows`, adding to `*done` as each arrives. */
int sightline_jpeg_rows(struct sightline_jpeg *jpeg, uint8_t *rows, size_t stride, uint32_t count,
                        volatile uint32_t *done) {
    if (setjmp(jpeg->jump)) {
        return FAILED;
    }
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    if ((size_t)cinfo->output_width * (size_t)cinfo->output_components != stride) {
        strcpy(jpeg->message, "The rows have another length than the header promised");
        return FAILED;
    }
    while (*done < count && cinfo->output_scanline < cinfo->output_height) {
        JSAMPROW row = rows + (size_t)*done * stride;
        if (jpeg_read_scanlines(cinfo, &row, 1) != 1) {
            return SUSPENDED;
        }
        *done += 1;
    }
    return OK;
}

/* Reads on to the end marker after the last row: what is broken there is broken for Pillow, too, what is missing is
 * not missed. */
int sightline_jpeg_finish(struct sightline_jpeg *jpeg) {
    if (setjmp(jpeg->jump)) {
        return FAILED;
    }
    (void)jpeg_finish_decompress(&jpeg->cinfo);
    return OK;
}
