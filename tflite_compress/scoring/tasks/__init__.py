"""Tasks and their metrics: each module of this package registers one task, which has the module's name."""
