"""Cover reserved for loans, calls on guarantors, recourse."""
