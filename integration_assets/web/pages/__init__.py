"""The pages, a module each: functions from a visit to an answer."""
