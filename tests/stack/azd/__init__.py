"""What azd and GitHub read is what they take, and what they are told is what people meant."""
