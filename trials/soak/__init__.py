"""The app as several processes under faults, with real parts around it, judged by its logs."""
