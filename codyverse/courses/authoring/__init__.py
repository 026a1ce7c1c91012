"""Courses as text: from files to an immutable tree, with every fault named. Knows no database."""
