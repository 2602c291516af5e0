"""What must hold, judged by the truth and by what people read, without the app's own rules."""
