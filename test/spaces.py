"""lit in a checkout whose path has spaces: what stands for %s and %t goes through a shell as it is, so tests see links."""

import hashlib
import os
import tempfile

import lit.formats


def without_spaces(path):
    """The path, or a link to it."""
    if not any(letter.isspace() for letter in path):
        return path
    links = os.path.join(tempfile.gettempdir(), f"flash-lit-{os.getuid()}")
    if any(letter.isspace() for letter in links):
        links = f"/tmp/flash-lit-{os.getuid()}"
    os.makedirs(links, exist_ok=True)
    link = os.path.join(links, hashlib.sha1(path.encode()).hexdigest()[:12])
    if not os.path.islink(link):
        os.symlink(path, link)
    return link


class ShTest(lit.formats.ShTest):
    """lit follows links when it looks for tests; here they are put back."""

    def execute(self, test, litConfig):
        test.suite.source_root = without_spaces(test.suite.source_root)
        test.suite.exec_root = without_spaces(test.suite.exec_root)
        return super().execute(test, litConfig)
