"""allauth adapter."""
