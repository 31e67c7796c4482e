"""Webhooks: what streams tell, sent to whoever asked for it, signed, until it has arrived."""
