# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong, said so that it can be put right."""

from __future__ import annotations


class FlashError(RuntimeError):
    """What the compiler or the runtime said; the first line is the reason."""


class ArgumentError(FlashError, ValueError):
    """An argument that cannot be: its name, what was got, what is expected."""

    def __init__(self, name: str, got: object, expected: object):
        super().__init__(f"{name}: got {got}, expected {expected}")
        self.name, self.got, self.expected = name, got, expected


class TraceError(FlashError):
    """What a score or mask function does that cannot be traced, with file and line."""


class TraceAttributeError(TraceError, AttributeError):
    """An attribute that a traced value lacks; hasattr() asks for some."""
