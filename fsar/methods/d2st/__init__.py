"""D²ST-Adapter."""
