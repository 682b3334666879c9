"""People who see: risk events and their cases, meetings, reports, visits, use of proceeds."""
