"""``python -m tflite_compress``."""

from tflite_compress.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
