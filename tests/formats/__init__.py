"""What chat, pager and Event Grid are sent."""
