"""What is taught: courses as text, their rendering, their grading."""
