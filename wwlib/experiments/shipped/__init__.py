"""The shipped models of Part I: scored, shipped, costed, tabulated."""
