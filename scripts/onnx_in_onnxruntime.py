#!/usr/bin/env python3
"""Runs networks that Sightline exported in ONNX Runtime and compares the descriptors with Sightline's own.

    python3 -m venv venv && venv/bin/pip install numpy pillow onnxruntime
    venv/bin/python scripts/onnx_in_onnxruntime.py --sightline target/release/sightline resnet18:layer3/gem resnet50/dir-gem

Each architecture gets seeded weights. Sightline describes pictures of noise by the network itself; ONNX Runtime runs the exported
file on the same pixels, normalised here. A network that pools over regions is exported for each size, every other once for all.
Ends with 1 where a difference is more than rounding.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

ARCHITECTURES = [
    "resnet18:layer3/gem",
    "resnet50/dir-gem",
    "resnet101/cir-gem-w",
    "vgg16/cir-gem",
    "densenet121/cir-gem",
    "squeezenet1_1/cir-gem",
    "alexnet/cir-mac",
    "resnet18/cir-rmac",
    "resnet50/token",
    "resnet50/token-solar",
    "resnet50/token-delg",
    "resnet50/token-netvlad",
    "resnet50/token-rmac",
    "resnet50/delg",
    "resnet50:layer3/delf",
    "resnet50/superglobal",
    "resnet18/gem-relup-rgem-gemp",
    "resnet18:layer3/how",
    "resnet50:layer3/how",
    "vgg16/how-unreduced",
    "resnet50/solar",
    "resnet101/solar",
    "vgg16/netvlad",
    "alexnet/netvlad-v2",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sightline", default="target/release/sightline", help="the command")
    parser.add_argument("--sizes", default="192x256,320x224", help="HEIGHTxWIDTH of the pictures; the reference model takes 224x224 only")
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES)
    arguments = parser.parse_args()
    for module in ["numpy", "PIL", "onnxruntime"]:
        try:
            __import__(module)
        except ImportError:
            sys.exit(f"{module} is missing. Install it: pip install numpy pillow onnxruntime")
    import onnxruntime

    print(f"onnxruntime {onnxruntime.__version__}")
    print(f"{'architecture':<28} {'picture':<9} {'values':>6} {'largest':>9} {'difference':>10}  cosine")
    agree = True
    with tempfile.TemporaryDirectory() as folder:
        for architecture in arguments.architectures:
            for size in arguments.sizes.split(","):
                size = tuple(int(side) for side in size.split("x"))
                agree &= compare(arguments.sightline, architecture, size, folder)
    sys.exit(0 if agree else 1)


def compare(sightline, architecture, size, folder):
    import numpy
    import onnxruntime
    from PIL import Image

    height, width = size
    random = numpy.random.default_rng([height, width])
    picture = random.integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    path = os.path.join(folder, f"{height}x{width}.png")
    Image.fromarray(picture).save(path)

    model = os.path.join(folder, architecture.replace("/", "_").replace(":", "_"))
    whole, fixed = f"{model}.onnx", f"{model}-{height}x{width}.onnx"
    if not os.path.exists(whole) and not export(sightline, architecture, whole):
        export(sightline, architecture, fixed, "--input-size", f"{height}x{width}")
    file = whole if os.path.exists(whole) else fixed

    # dirtorch's recipe resizes nothing, and cirtorch's pooling leaves a single scale as the network gives it.
    rows = os.path.join(folder, "rows.npy")
    command = [sightline, "--quiet", "extract", path, "-o", rows, "--restart", "--recipe", "dirtorch", "--json"]
    command += ["--pooling", "cirtorch"]
    said = run([*command, "--model", "seeded", "--arch", architecture])
    recipe = json.loads(said.stdout)["card"]["identity"]["recipe"]
    ours = numpy.load(rows)[0].astype(numpy.float64)

    mean, std = numpy.array(recipe["mean"], "f"), numpy.array(recipe["std"], "f")
    tensor = (picture.astype("f") / numpy.float32(255) - mean) / std
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(["descriptor"], {"image": tensor.transpose(2, 0, 1)[None]})
    theirs = theirs[0].astype(numpy.float64)

    difference, largest = abs(ours - theirs).max(), abs(ours).max()
    cosine = ours @ theirs / numpy.sqrt((ours @ ours) * (theirs @ theirs))
    print(
        f"{architecture:<28} {height}x{width:<5} {len(ours):>6} {largest:9.2e} {difference:10.2e}  {cosine:.9f}",
        flush=True,
    )
    return difference <= 1e-3 * largest and cosine > 1 - 1e-6


def export(sightline, architecture, file, *options):
    """Whether the file was written; a network that pools over regions needs its size."""
    command = [sightline, "--quiet", "model", "export", "seeded", "--arch", architecture, "-o", file, *options]
    done = run(command, allow_failure=not options)
    if done.returncode != 0 and "--input-size" not in done.stderr:
        sys.exit(done.stderr)
    return done.returncode == 0


def run(command, allow_failure=False):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 and not allow_failure:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done


if __name__ == "__main__":
    main()
