"""Those who are told: one module for each way to tell, none of which knows of the outbox.

sink.py            Sink, and the three ways in which a delivery may fail
settings.py        Target: who is told, and of what
cloud_event.py     an event as CloudEvents JSON
signing.py         Standard Webhooks: secrets and signatures
addresses.py       which hosts a webhook may reach, resolved and checked once
webhook.py         POST to a URL
broker.py          where an MQTT broker is
discovery.py       what Home Assistant is told of a camera's entities
shown.py           a camera's state, as it is sent
wording.py         an event in words
notify.py          a push message or a mail, through Apprise
frigate.py         a sub label at the event in Frigate
homeassistant.py   states, events, pictures and a switch by MQTT
making.py          sink_of(): the sink that a target asks for
"""
