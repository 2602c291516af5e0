"""The HTTP functions: routes called as the platform does, over fakes."""
