"""The domain's errors. None of them knows of HTTP; `app/api/problems.py` maps each to a status.

GoodsGuardError
├── ImageError                  the photo itself cannot be judged
│   ├── NotAnImage              no decoder recognises the bytes
│   ├── UnsupportedImage        an image, but of a format or pixel type left out on purpose
│   ├── CorruptImage            recognised, then broken or cut short
│   └── TooManyPixels           larger than the limit; refused from its header
├── CategoryError
│   ├── UnknownCategory         nothing is stored under that name
│   └── CategoryUnavailable     stored, but its bank cannot serve
├── CameraError
│   ├── UnknownCamera           no camera of that name is set up
│   └── CameraUnavailable       set up, but with a fault
├── DatasetError                a data folder lacks what the command needs
│   ├── MaskError               a mask does not fit its photo, or marks nothing
│   ├── NoTestSplit             no labelled test images for the category
│   └── TooManyUnreadable       more broken files than the build accepts
├── PresetError                 unknown preset, or one with invalid values
├── WeightsError
│   ├── WeightsNotFound         no file, package, cache or network has them
│   └── WeightsMismatch         the file lacks parameters the network needs, or has other shapes
├── BankError                   what a method has learnt does not fit, or is not finite
├── NonFiniteScore              the network answered with NaN or infinity
├── CalibrationError            too few calibration scores for the rule asked for
│   └── InvalidRule             a rule of a threshold with a value that it cannot have
├── ArtifactError               a stored bank is damaged, incomplete or of a schema that is not read
│   ├── SignatureError          not signed, or not by a key that is trusted
│   ├── NoSuchVersion           a bank version that is not stored
│   └── NotWritable             the folder of the banks is full, read-only or not ours
├── SigningKeyError             a key file that cannot be read, written, or is of another kind
├── OutOfMemory                 too little memory to decode or draw a photo
├── NetworkFailed               the network itself failed: out of memory, a fault of the device
├── DeadlineExceeded            the time that the caller gave was over before the answer was there
└── Overloaded                  every place in the queue is taken
"""


class GoodsGuardError(Exception):
    """Base of everything this package raises on purpose; its text is meant for the user."""

    @property
    def public(self) -> str:
        """Its text for whoever reaches the service: without paths of the service's machine."""
        return str(self)


class ImageError(GoodsGuardError):
    """The photo itself cannot be judged."""


class NotAnImage(ImageError):
    """No decoder recognises the bytes."""


class UnsupportedImage(ImageError):
    """A format or pixel type left out on purpose."""


class CorruptImage(ImageError):
    """Recognised as an image, then broken or cut short."""


class TooManyPixels(ImageError):
    """The header announces more pixels than the limit."""


class CategoryError(GoodsGuardError):
    """A category cannot be used."""


class UnknownCategory(CategoryError):
    """Nothing is stored under that name."""

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self._public = public

    @property
    def public(self) -> str:
        return self._public or str(self)


class CategoryUnavailable(CategoryError):
    """Stored, but its bank cannot serve; the text says why."""


class CameraError(GoodsGuardError):
    """A camera cannot be used."""


class UnknownCamera(CameraError):
    """No camera of that name is set up; the text lists those there are."""


class CameraUnavailable(CameraError):
    """A camera is set up with a fault; the text says which."""


class DatasetError(GoodsGuardError):
    """A data folder lacks what the command needs."""


class MaskError(DatasetError):
    """A mask does not fit its photo, or marks nothing."""


class NoTestSplit(DatasetError):
    """No labelled test images for the category."""


class TooManyUnreadable(DatasetError):
    """More broken files than the build accepts."""


class PresetError(GoodsGuardError):
    """Unknown preset, or one with invalid values."""


class WeightsError(GoodsGuardError):
    """The backbone's weights cannot be used."""


class WeightsNotFound(WeightsError):
    """No file, package, cache or network has them."""

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self._public = public

    @property
    def public(self) -> str:
        return self._public or str(self)


class WeightsMismatch(WeightsError):
    """The file lacks parameters the network needs, or has them in other shapes."""


class BankError(GoodsGuardError):
    """What a method has learnt is of a wrong shape or not finite, or does not fit the cells."""


class NonFiniteScore(GoodsGuardError):
    """The network or the search answered with NaN or infinity."""


class CalibrationError(GoodsGuardError):
    """Too few calibration scores for the rule asked for."""


class InvalidRule(CalibrationError, ValueError):
    """A threshold rule with a value that it cannot have.

    A ValueError, too: in a file of values it is one of the faults that are told with their place.
    """


class ArtifactError(GoodsGuardError):
    """A stored bank is damaged, incomplete or of a schema that is not read."""


class SignatureError(ArtifactError):
    """A stored bank is not signed, or not by a key that is trusted."""


class NoSuchVersion(ArtifactError):
    """A bank version that is not stored."""


class NotWritable(ArtifactError):
    """The folder of the banks is full, read-only or not ours."""


class SigningKeyError(GoodsGuardError):
    """A key file that cannot be read, written, or is of another kind."""


class OutOfMemory(GoodsGuardError):
    """Too little memory to decode or draw a photo."""


class NetworkFailed(GoodsGuardError):
    """The network itself failed: out of memory, or a fault of the device."""


class DeadlineExceeded(GoodsGuardError):
    """The time that the caller gave was over before the answer was there."""


class Overloaded(GoodsGuardError):
    """Every place in the queue is taken; `retry_after` says when to come back.

    Attributes:
        retry_after: seconds after which a place is likely to be free, at least 1.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
