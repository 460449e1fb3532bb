# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a figure was measured on: the device, its clocks and power, versions of what took part, the commit."""

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SMI_FIELDS = ("name", "driver_version", "clocks.sm", "clocks.mem", "power.draw", "temperature.gpu")


def output(*command):
    """What a command prints, or nothing if it cannot."""
    try:
        return subprocess.run(command, text=True, capture_output=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


class Monitor:
    """Clock and power of the GPU, through NVML where its module is there."""

    def __init__(self, backend):
        self.nvml = self.handle = None
        if backend.name != "cuda":
            return
        try:
            import pynvml
            pynvml.nvmlInit()
            uuid = getattr(backend.torch.cuda.get_device_properties(0), "uuid", None)
            try:
                self.handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
            except pynvml.NVMLError:
                self.handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            self.nvml = pynvml
        except Exception as error:  # any failure only costs the readings
            print(f"no clocks and power: {error}", flush=True)

    def sample(self):
        """Readings while a kernel runs."""
        if not self.nvml:
            return {"sm_mhz": None, "power_w": None}
        try:
            return {"sm_mhz": self.nvml.nvmlDeviceGetClockInfo(self.handle, self.nvml.NVML_CLOCK_SM),
                    "power_w": self.nvml.nvmlDeviceGetPowerUsage(self.handle) / 1e3}
        except self.nvml.NVMLError:
            return {"sm_mhz": None, "power_w": None}

    def throttled(self):
        """Why the clock is below its maximum: NVML's bits, as hexadecimal."""
        try:
            name = "nvmlDeviceGetCurrentClocksEventReasons"
            read = getattr(self.nvml, name, None) or self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons
            return hex(read(self.handle))
        except Exception:  # not every driver says
            return None


def state(backend, monitor):
    """Name, driver, clocks, power: as nvidia-smi says them."""
    if backend.name != "cuda":
        return {"name": platform.processor() or platform.machine(), "cpus": os.cpu_count(), "dry_run": True}
    values = output("nvidia-smi", f"--query-gpu={','.join(SMI_FIELDS)}", "--format=csv,noheader").split("\n")[0].split(", ")
    device = dict(zip(SMI_FIELDS, values)) if len(values) == len(SMI_FIELDS) else {"name": backend.torch.cuda.get_device_name()}
    device["multiprocessors"] = backend.torch.cuda.get_device_properties(0).multi_processor_count
    device["clocks_event_reasons"] = monitor.throttled() if monitor.nvml else None
    return device


def ptxas_version():
    """Of the assembler that the library finds; None: the driver's own assembles."""
    path = os.environ.get("FLASH_PTXAS") or shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
    found = re.search(r"V(\d+\.\d+\.\d+)", output(path, "--version"))
    return found.group(1) if found else None


def commit():
    """Of the sources; FLASH_COMMIT says it where there is no repository."""
    return os.environ.get("FLASH_COMMIT") or output("git", "-C", ROOT, "rev-parse", "--short", "HEAD") or "unknown"


def versions(backend):
    found = {"python": platform.python_version(), "ptxas": ptxas_version()}
    for module in ("numpy", "triton", "cutlass", "jax"):
        try:
            found[module] = importlib.metadata.version({"cutlass": "nvidia-cutlass-dsl"}.get(module, module))
        except importlib.metadata.PackageNotFoundError:
            continue
    if backend.name == "cuda":
        found["torch"] = backend.torch.__version__
        found["cudnn"] = backend.torch.backends.cudnn.version()
        found["cuda"] = backend.torch.version.cuda
    return found


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
