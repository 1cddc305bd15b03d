"""Where photos come from.

address.py          `source = "…"` of a camera -> which kind of source, and its address
source.py           Source, what each of them is; SourceError, in words for people
pacing.py           Pace: when the next photo is due; somebody may ask for one before
folder.py           files that appear in a folder; settling.py: whether their writing has ended;
                    mounts.py: whether it lies on a network mount
snapshot.py         a URL that answers with a photo; camera_auth.py: Basic and Digest
onvif.py            the same, at the URL that the camera itself names
stream.py           RTSP and other video, read by stream_process.py in a process of its own
broker.py           a connection to the MQTT broker
mqtt.py             photos that arrive as MQTT messages
frigate.py          photos of what Frigate has detected
making.py           a camera's entry -> its Source
"""
