"""Decision trees and forests: reading, compressing, and writing them as ``.tflite`` and as C."""
