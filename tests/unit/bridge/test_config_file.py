from __future__ import annotations

from pathlib import Path

import pytest

from app.bridge.config import Config
from app.bridge.config_file import ConfigError, ConfigFile
from app.bridge.sources.address import Address

SMALLEST = """
[service]
url = "http://goodsguard:8000"
key_file = "key"
[[camera]]
name = "shelf-3"
source = "rtsp://192.0.2.7/stream1"
category = "drink_can"
every_s = 10
[[target]]
webhook = "https://example.org/hook"
"""
SERVICE = '[service]\nurl = "http://s:1"\n'


def read(folder: Path, text: str, **environment: str) -> ConfigFile:
    (folder / "key").write_text("gg_secret\n")
    path = folder / "bridge.toml"
    path.write_text(text)
    return ConfigFile(path, environment)


def camera(lines: str) -> str:
    return f'{SERVICE}[[camera]]\nname = "a"\nsource = "/photos"\n{lines}\n'


def faults(config: Config) -> list[str]:
    return [str(fault) for fault in config.faults]


def test_the_smallest_form_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, SMALLEST).config
    assert config.faults == ()
    assert config.service.key is not None
    assert config.service.key.get_secret_value() == "gg_secret"
    (one,) = config.cameras
    assert (one.name, one.category, one.every_s) == ("shelf-3", ("drink_can",), 10)
    assert (one.address.kind, one.pace_s, one.transport) == ("stream", 10, "tcp")
    (target,) = config.targets
    assert (target.kind, target.title) == ("webhook", "webhook example.org")
    assert "gg_secret" not in repr(config)


def test_six_mistakes_are_six_sentences_and_the_others_go_on(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        SERVICE
        + """
[[camera]]
name = "ok"
source = "/photos"
[[camera]]
name = "misspelt"
source = "/photos"
every_sec = 3
[[camera]]
name = "scheme"
source = "ftp://192.0.2.1/x"
[[camera]]
name = "secret"
source = "/photos"
password_file = "nowhere"
[[camera]]
source = "/photos"
[[camera]]
name = "zone"
source = "/photos"
hours = "8-20"
[[target]]
webhook = "https://a.example"
notify = "ntfy://x"
""",
    ).config
    assert [c.name for c in config.cameras] == ["ok"]
    assert faults(config) == [
        "camera misspelt: every_sec is not known here; every_s is the nearest: correct it, or "
        "take it out",
        "camera scheme: source ftp: is no kind of source; there are rtsp://…, https://…, "
        "onvif://…, stream:URL, mqtt:TOPIC, frigate:CAMERA, and folder:PATH",
        "camera secret: password_file nowhere cannot be read: No such file or directory",
        "camera 5: name is missing",
        "camera zone: hours '8-20' cannot be read: write hours as \"08:00-20:00\" or "
        '"mon-sat 08:00-20:00"',
        "target 1: name one of webhook, homeassistant, frigate and notify",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("every_s = 0", "every_s must be greater than 0"),
        ('category = "Drink Can"', "category.0 a category's name has a-z"),
        ('category = "a"\ncategory_field = "label"', "category is fixed or taken from"),
        ('category_field = "label"', "category_field needs a source mqtt: or frigate:"),
        ("motion = true", "motion needs a stream"),
        ('zone = "Europe/Berlim"', "zone 'Europe/Berlim' is no time zone; Europe/Berlin is"),
        ('hours = "08:00-20:00"\nzone = "/etc/passwd"', "zone '/etc/passwd' is no time zone"),
        ("alarm = { k = 4, n = 3 }", "alarm 4 of 3 photos can never be"),
        ("alarm = { hold = 4 }", "alarm.hold is not known here; hold_s is the nearest"),
        ('password = "$CAM"', "password: the environment has no CAM"),
        ('password = "x"\npassword_file = "key"', "password and password_file are both given"),
        ("password_file = 3", "password_file must be a file's path"),
        ('trigger_topic = "a/b"', "needs a table [mqtt], which is missing"),
        ('max_bytes = "many"', "max_bytes must be a number of bytes, such as"),
    ],
)
def test_what_is_wrong_with_a_camera_is_told(tmp_path: Path, lines: str, words: str) -> None:
    config = read(tmp_path, camera(lines)).config
    assert config.cameras == ()
    (fault,) = faults(config)
    assert fault.startswith(f"camera a: {words}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[service", "bridge.toml is not TOML:"),
        ("", "[service] of bridge.toml: is missing"),
        ('[service]\nurl = "goodsguard"', "[service] of bridge.toml: url must be a URL such as"),
    ],
)
def test_without_a_service_nothing_can_start(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(words)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bridge.toml cannot be read: No such file"):
        ConfigFile(tmp_path / "bridge.toml")


def test_names_that_are_given_twice_and_tables_that_nobody_knows(tmp_path: Path) -> None:
    one = '[[camera]]\nname = "a"\nsource = "/p"\n'
    config = read(tmp_path, f"{SERVICE}{one}{one}[[cameras]]\n[target]\n").config
    assert len(config.cameras) == 1
    assert faults(config) == [
        "cameras: is not known here; camera is the nearest: correct it, or take it out",
        "camera a: has the name of another camera: give it one of its own",
        "target: write [[target]], with two brackets, above each target",
    ]


def test_secrets_come_from_the_environment_too(tmp_path: Path) -> None:
    config = read(tmp_path, camera('password = "$CAM"'), CAM="s3cret").config
    assert config.cameras[0].password is not None
    assert config.cameras[0].password.get_secret_value() == "s3cret"


def test_changes_are_taken_up_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = read(tmp_path, SMALLEST)
    path = tmp_path / "bridge.toml"
    assert not file.refresh()
    path.write_text(SMALLEST.replace("every_s = 10", "every_s = 5"))
    assert file.refresh()
    assert file.config.cameras[0].every_s == 5
    path.write_text(SMALLEST[:100])  # half saved
    assert not file.refresh()
    assert "bridge.toml" in file.fault
    assert file.config.cameras[0].every_s == 5
    path.write_text(SMALLEST)
    assert file.refresh()
    assert (file.fault, file.config.cameras[0].every_s) == ("", 10)


def test_a_camera_that_is_broken_while_running_goes_on_as_it_was(tmp_path: Path) -> None:
    file = read(tmp_path, SMALLEST)
    (tmp_path / "bridge.toml").write_text(SMALLEST.replace("every_s", "every"))
    assert file.refresh()
    assert [c.every_s for c in file.config.cameras] == [10]
    assert [fault.place for fault in file.config.faults] == ["camera shelf-3"]
    (tmp_path / "bridge.toml").write_text(SMALLEST.split("[[camera]]")[0])
    assert file.refresh()
    assert file.config.cameras == ()  # taken out, it goes


@pytest.mark.parametrize("cut", range(0, len(SMALLEST), 3))
def test_a_file_that_is_cut_anywhere_is_never_more_than_a_sentence(
    tmp_path: Path, cut: int
) -> None:
    """As an editor leaves it for a moment; the camera that it names goes on, or is taken out."""
    file = read(tmp_path, SMALLEST)
    before = file.config
    (tmp_path / "bridge.toml").write_text(SMALLEST[:cut])
    file.refresh()
    told = [file.fault] if file.fault else faults(file.config)
    assert all("\n" not in text for text in told)
    assert file.config.service == before.service or "key_file" not in SMALLEST[:cut]
    for camera in file.config.cameras:
        assert camera.name == "shelf-3"
    (tmp_path / "bridge.toml").write_text(SMALLEST)
    file.refresh()
    assert (file.fault, file.config) == ("", before)


def test_a_new_key_is_taken_up(tmp_path: Path) -> None:
    file = read(tmp_path, SMALLEST)
    (tmp_path / "key").write_text("another")
    assert file.refresh()
    assert file.config.service.key is not None
    assert file.config.service.key.get_secret_value() == "another"


def test_the_category_may_come_with_the_photo(tmp_path: Path) -> None:
    text = (
        f'{SERVICE}[mqtt]\nurl = "mqtts://broker"\n[frigate]\nurl = "http://frigate:5000/"\n'
        '[[camera]]\nname = "a"\nsource = "frigate:front"\ncategory_field = "label"\n'
        'category_of = { bottle = "drink_bottle" }\n'
    )
    config = read(tmp_path, text).config
    assert config.faults == ()
    assert config.mqtt is not None
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls) == ("broker", 8883, True)
    (one,) = config.cameras
    assert one.categories_of({"label": "bottle"}) == ("drink_bottle",)
    assert one.categories_of({"label": "Wine Glass"}) == ("wine_glass",)
    with pytest.raises(ValueError, match="without the field label"):
        one.categories_of({})


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("rtsps://u:p@h/1", "stream"),
        ("stream:http://h/video.mjpg", "stream"),
        ("https://h/snapshot.jpg", "snapshot"),
        ("onvif://h:8080", "onvif"),
        ("mqtt:shop/+/photo", "mqtt"),
        ("frigate:front", "frigate"),
        ("folder:/a:b", "folder"),
        ("C:\\photos", "folder"),
        ("./photos", "folder"),
    ],
)
def test_a_source_is_known_by_its_form(source: str, kind: str) -> None:
    assert Address.parse(source).kind == kind


@pytest.mark.parametrize("source", ["", "rtsp://", "http:///x", "mqtt:", "rtsp://h:99999/", "xy:z"])
def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Address.parse(source)
