"""What tests share: fakes, fixtures, small helpers."""
