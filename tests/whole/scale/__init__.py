"""What a cycle asks for as accounts grow: counts, never times."""
