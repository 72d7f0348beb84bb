"""The original model's outputs, and scores against them or against labels."""
