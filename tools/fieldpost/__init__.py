"""The host command `fieldpost`: runs, watches and provisions the nodes whose firmware is here."""

# Whatever module of the tools comes first, `import firmware` then finds the node's modules.
from fieldpost.paths import make_firmware_importable

make_firmware_importable()
