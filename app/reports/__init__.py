"""What people look at after an evaluation or an exploration: pictures and pages."""
