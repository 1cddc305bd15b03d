"""Who may ask: API keys and a limit on requests.

keys.py         a key, its scopes, its hash
keys_file.py    the TOML file of keys; key_store.py the keys that count now
rate_limit.py   requests per minute; wrong_keys.py how often wrong keys may be tried
"""
