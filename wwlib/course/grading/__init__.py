"""The grader: submissions, sandbox, judgement, grade books."""
