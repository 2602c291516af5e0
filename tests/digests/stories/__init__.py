"""Stories of chat and pager, as a reviewer reads them."""
