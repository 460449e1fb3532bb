"""commands.py OBJ SCRATCH [DOCUMENT...]: runs what README.md and docs/*.md tell their readers to type.

In those, a block of commands begins with ```sh, other text with ```text or another language. A line is run as it stands (with what
it continues on), in a copy of the tree in which `build` is OBJ; files that readers have of their own are there by the names that
the documents use. `<!-- needs: gpu -->` before a block: without a GPU its commands end with one line that says what is missing; with one they are run
if FLASH_WHOLE is set (scripts/test.sh --whole), as those of `<!-- needs: minutes -->` are. Commands in the running text are run, too, if they name an example or
begin with build/bin/. Scripts that test or install are scripts/test.sh's to run. `--seed=fresh` is --seed=1 here, so that a commit passes
always or never; scripts/test.sh fuzz draws by the commit.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test", "Conversion", "LinalgToFlash"))
import npy  # noqa: E402

BLOCK = re.compile(r"(?:<!-- needs: (\w+) -->\n)?^```(\w*)\n(.*?)^```", re.S | re.M)
INLINE = re.compile(r"`(build/bin/\S+ [^`]+|flash-\w+ examples/[^`]+)`")
# What others run: the suites, and what needs a network.
NOT_HERE = re.compile(r"\s*scripts/(quickstart|test)\.sh\b|\s*export ")


def commands(path):
    """Needs, line and command."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    # What is generated holds output alone; its lines stay, for their numbers.
    text = re.sub(r"<!-- generated:.*?<!-- end -->", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    line = lambda at: text.count("\n", 0, at) + 1  # noqa: E731
    for block in BLOCK.finditer(text):
        needs, language, body = block.groups()
        if not language:
            raise SystemExit(f"{path}:{line(block.start(3)) - 1}: a block begins with ```sh (commands), ```text, or its language")
        if language != "sh":
            continue
        for command in re.finditer(r"(?:[^\n]*\\\n)*[^\n]+\n", body):
            yield needs, line(block.start(3) + command.start()), command[0].strip().replace("--seed=fresh", "--seed=1")
    for found in INLINE.finditer(re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)):
        yield None, 0, found[1].replace("--seed=fresh", "--seed=1")


def prepare(objects, scratch):
    """A copy of the tree, and the reader's own files."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(ROOT, scratch, symlinks=True, ignore=lambda folder, names: [
        n for n in names if folder == ROOT and (n.startswith("build") or n == ".git") or n == "__pycache__"])
    os.symlink(objects, os.path.join(scratch, "build"))
    own = lambda name: os.path.join(scratch, name)  # noqa: E731
    shutil.copy(os.path.join(ROOT, "examples", "attention.mlir"), own("my.mlir"))
    model = os.path.join(ROOT, "test", "Conversion", "LinalgToFlash", "Inputs", "jax-dpa-mask.mlir")
    shutil.copy(model, own("model.mlir"))
    with open(model, encoding="utf-8") as file:
        arguments = re.findall(r"%arg\d+: tensor<([\dx]+)x(\w+)>", re.search(r"func\.func public @main\((.*?)\) ->", file.read())[1])
    for name, (shape, element) in zip(("q", "k", "v", "mask"), arguments):
        sizes = [int(size) for size in shape.split("x")]
        count = 1
        for size in sizes:
            count *= size
        npy.write(own(f"{name}.npy"), element, sizes, [element == "i1" and i % 3 != 1 or 0.01 * (i % 97) for i in range(count)])


def has_gpu():
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0
    except OSError:
        return False


def main():
    objects, scratch, *only = sys.argv[1:]
    documents = only or ["README.md", "CONTRIBUTING.md"] + sorted(
        os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True))
    prepare(objects, scratch)
    # Readers have matplotlib in their python3.
    own = os.path.join(scratch, "reader-bin")
    os.mkdir(own)
    if os.environ.get("FLASH_PLOT_PYTHON"):
        with open(os.path.join(own, "python3"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{os.environ["FLASH_PLOT_PYTHON"]}" "$@"\n')
        os.chmod(os.path.join(own, "python3"), 0o755)
    environment = dict(os.environ, PATH=os.pathsep.join([own, os.path.join(objects, "bin"), os.environ["PATH"]]),
                       FLASH_LIBRARY=os.path.join(objects, "lib", "libflash-c.so"), FLASH_COMMIT="unknown")
    ran, left, failed, gpu = 0, 0, 0, has_gpu()
    for document in documents:
        for needs, line, command in commands(os.path.join(ROOT, document)):
            long = needs == "minutes" or needs == "gpu" and gpu
            if NOT_HERE.match(command) or long and not os.environ.get("FLASH_WHOLE"):
                left += 1
                continue
            done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=scratch, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, encoding="utf-8", errors="replace")
            wanted = needs == "gpu" and not gpu
            words = done.stderr.strip().split("\n")[-1]
            good = (done.returncode != 0 and re.match(r"[\w.-]+: \S", words) and "Traceback" not in done.stderr if wanted
                    else done.returncode == 0)
            ran, failed = ran + 1, failed + (not good)
            print(f"{'ok  ' if good else 'FAIL'} {document}:{line}: {command}")
            if not good:
                print(f"  status {done.returncode}\n" + "\n".join("    " + text for text in (done.stdout[-1500:] + done.stderr[-1500:]).split("\n")))
            sys.stdout.flush()
    print(f"{ran - failed} passed, {failed} failed, {left} left to others")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
