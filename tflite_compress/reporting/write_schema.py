"""Write the schema of reports: ``python -m tflite_compress.reporting.write_schema``."""

from __future__ import annotations

import json
from pathlib import Path

from tflite_compress.reporting.model import SCHEMA_FILE, report_schema

if __name__ == "__main__":
    Path(__file__).with_name(SCHEMA_FILE).write_text(json.dumps(report_schema(), indent=1) + "\n")
