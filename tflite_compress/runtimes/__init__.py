"""Run a ``.tflite`` on this machine, in an emulator or on a device, and compare runtimes."""
