"""What a lesson imports first: `begin` says where it runs, `check` and `quiz` judge answers."""

from wwlib.course.lessons.begin import begin
from wwlib.course.lessons.check import check, quiz

__all__ = ["begin", "check", "quiz"]
