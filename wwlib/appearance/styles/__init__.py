"""Styles of lesson 16: what style and content codes are asked for, how they learn and are judged, their pictures."""
