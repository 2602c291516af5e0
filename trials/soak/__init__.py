"""The app as several processes in bad weather, with real parts around it, judged by its logs."""
