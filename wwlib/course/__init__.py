"""What turns the library into a course: exercises, answers, lessons as files, grading."""
