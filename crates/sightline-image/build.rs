//! Compiles `native/jpeg.c` against the libjpeg that `mozjpeg-sys` builds.

fn main() {
    println!("cargo:rerun-if-changed=native/jpeg.c");
    let mut build = cc::Build::new();
    if let Some(paths) = std::env::var_os("DEP_JPEG_INCLUDE") {
        build.includes(std::env::split_paths(&paths));
    }
    build.file("native/jpeg.c").compile("sightline_jpeg");
}
