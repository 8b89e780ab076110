"""What users of other MQTT nodes and board tools complain about, and the tests that forbid it.

Each complaint is proven where its subject is tested; this file says where, and fails when such a
test is gone. What had no other home is tested below. mp, ml, ph: issues of MicroPython, of
micropython-lib and of micropython-mqtt.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rigs.port_node import PortNode, configuration
from rigs.session import PORTS, TIMEOUT_MS, Bench, Peer, SessionBench, fails_with
from wire_tls import TlsWire

from simulation import scenario
from simulation.run import Run

HOST_TESTS = Path(__file__).resolve().parents[1]
ENOMEM = 12

# (number, complaint): file and test.
HOMES = {
    (1, "a blocking socket hangs on degraded Wi-Fi (ml 103, mp 2568)"): (
        "unit/lib/test_wire_deadlines::test_the_deadline_holds_across_bytes_that_trickle_in",
        "unit/lib/test_wire_deadlines::test_setblocking_never_lifts_the_deadline",
    ),
    (1, "the wait for a PUBACK never ends"): (
        "unit/firmware/net/test_mqtt_in_flight::"
        "test_a_puback_that_never_comes_ends_the_connection",
        "unit/firmware/net/test_mqtt_in_flight::"
        "test_late_acknowledgements_are_awaited_up_to_the_deadline",
    ),
    (2, "the connection is gone and nothing raises (ml 334)"): (
        "unit/firmware/net/test_mqtt_input::"
        "test_a_silent_link_is_pinged_and_given_up_when_no_answer_comes",
        "unit/firmware/net/test_mqtt_input::"
        "test_what_a_node_sends_into_the_void_does_not_stand_for_an_answer",
    ),
    (2, "… above all under TLS"): (
        "on_port/test_wire_tls::"
        "test_a_peer_that_is_silent_in_the_handshake_is_given_up_at_the_deadline",
        "whole/test_tls_node::test_a_broker_that_falls_silent_is_noticed_and_found_again",
    ),
    (2, "check_msg sticks (ml 381)"): (
        "unit/lib/test_wire::test_check_msg_with_nothing_there_returns_none_at_once",
    ),
    (3, "disconnect() or ping() hangs in its write for 30 s (ml 716, 1070)"): (
        "unit/firmware/net/test_mqtt_session::test_close_always_closes_and_never_hangs",
        "unit/lib/test_wire_deadlines::"
        "test_a_peer_that_does_not_read_ends_a_flush_at_the_deadline",
    ),
    (3, "no time-out on connect; a peer that accepts and says nothing (ml 890)"): (
        "unit/lib/test_wire_deadlines::"
        "test_no_failed_connection_outlasts_its_deadline_or_leaves_a_descriptor",
    ),
    (4, "getaddrinfo hangs for ever (mp 18797)"): (
        "unit/lib/test_wire::"
        "test_an_address_is_looked_up_once_and_again_when_a_connection_to_it_fails",
        "unit/lib/test_wire::test_a_look_up_that_outlasts_the_deadline_serves_the_next_try",
        "whole/test_complaints::test_04_the_watchdog_is_fed_before_a_look_up_that_may_hang",
    ),
    (5, "sockets leak on failed connects (mp 5272, ml 591, 382)"): (
        "unit/lib/test_wire_deadlines::"
        "test_no_failed_connection_outlasts_its_deadline_or_leaves_a_descriptor",
        "unit/lib/test_wire_deadlines::test_a_name_that_is_not_found_leaves_no_descriptor",
        "on_port/test_hostile::"
        "test_every_end_is_an_oserror_in_time_and_leaves_nothing_open_or_allocated",
    ),
    (6, "QoS 1 stops after 65,535 messages (ml 94)"): (
        "unit/firmware/net/test_mqtt_in_flight::test_packet_ids_wrap_after_65535_and_skip_0",
    ),
    (6, "a short CONNACK is an IndexError (ml 1056)"): (
        "unit/firmware/net/test_mqtt_session::test_a_connack_cut_short_is_an_oserror",
    ),
    (6, "keepalive=0 is refused (ml 638)"): (
        "unit/firmware/config/test_check::test_a_keepalive_of_zero_is_refused_with_the_reason",
        "unit/firmware/net/test_mqtt_session::"
        "test_a_keepalive_of_any_length_keeps_a_silent_session_alive",
    ),
    (7, "stale address or isconnected() after the access point vanished (mp 9505, 13370)"): (
        "unit/firmware/net/test_wifi::test_right_after_leaving_the_old_state_is_not_believed",
        "unit/firmware/board/test_rp2::test_a_stale_address_after_leaving_does_not_make_it_up",
        "unit/firmware/net/test_link::"
        "test_a_stale_network_is_left_after_three_sessions_that_failed",
    ),
    (7, "no reconnect after a router outage (ph 132)"): (
        "unit/firmware/net/test_link::test_a_join_that_fails_escalates_the_same_way",
        "unit/firmware/net/test_wifi::test_rejoins_when_the_access_point_vanished",
    ),
    (7, "'wrong password' reported with a right one (ph 154)"): (
        "unit/firmware/net/test_wifi::test_a_right_password_called_wrong_gets_a_second_attempt",
    ),
    (7, "a transient idle, or RP2 status 2, taken for a failure (ph 82, 129, 133)"): (
        "unit/firmware/net/test_wifi::test_an_idle_moment_while_joining_is_no_failure",
        "unit/firmware/net/test_wifi::test_associated_without_an_address_is_waited_for",
    ),
    (7, "'Wifi Internal Error' on a second connect (mp 17661, 7139)"): (
        "unit/firmware/net/test_wifi::test_a_second_connect_never_meets_the_first",
    ),
    (8, "TLS ENOMEM although the heap is free (mp 6455, 8940)"): (
        "whole/test_complaints::test_08_tls_without_memory_costs_one_attempt_and_no_descriptor",
        "unit/firmware/net/test_link::test_each_failure_is_named_and_leaves_nothing_open",
    ),
    (9, "NTP time-outs (mp 7137)"): ("unit/lib/test_sntp::test_silence_ends_at_the_deadline",),
    (9, "NTP overflow (ml 604)"): (
        "unit/lib/test_sntp::test_the_time_is_rounded_and_outlives_2036",
    ),
    (10, "light sleep returns at once or never (mp 16181, 9006)"): (
        "unit/firmware/board/test_rp2::"
        "test_sleeps_longer_than_the_chip_knows_and_goes_on_after_waking_early",
        "unit/firmware/board/test_esp32::test_light_sleep_goes_on_after_waking_early",
    ),
    (10, "a watchdog longer than the chip allows resets early (mp 9078)"): (
        "unit/firmware/board/test_rp2::test_the_watchdog_is_clamped_to_what_the_chip_allows",
    ),
    (10, "a watchdog shorter than the join is an endless reboot"): (
        "whole/test_complaints::test_10_a_watchdog_shorter_than_the_join_resets_nothing",
    ),
    (11, "deepsleep in main.py locks the owner out of the REPL (mp 8153)"): (
        "whole/test_complaints::test_11_a_cold_start_can_be_interrupted_before_anything_runs",
    ),
    (12, "a message published just before sleep is lost (pubsubclient 452, 690)"): (
        "unit/firmware/net/test_mqtt_session::test_close_always_closes_and_never_hangs",
        "whole/test_complaints::test_12_what_was_published_just_before_the_end_arrives",
    ),
    (12, "the will fires for a sleeping node (arduino-mqtt 112)"): (
        "unit/firmware/net/test_mqtt_session::"
        "test_a_will_is_published_when_the_node_vanishes_and_only_then",
    ),
    (13, "two nodes with one client id kick each other for ever"): (
        "whole/test_link_broker::"
        "test_13_two_nodes_with_one_client_id_end_in_a_clear_error_and_lose_nothing",
    ),
    (14, "duplicates, because a retry gets a new packet id (ph 39)"): (
        "unit/firmware/net/test_mqtt_in_flight::"
        "test_what_was_not_acknowledged_goes_out_again_with_its_packet_id_and_dup",
    ),
    (15, "files lost on a power cut (mp 5337, 7960)"): (
        "on_port/test_power_cuts::"
        "test_a_power_cut_at_any_block_write_of_real_littlefs_loses_nothing_accepted",
    ),
    (16, "the supply voltage reads 0.1 V on a Pico W (mp 10406)"): (
        "unit/firmware/board/test_rp2::test_the_supply_is_read_while_the_radio_is_off",
        "unit/firmware/board/test_rp2::test_a_supply_never_read_is_unknown_not_a_tenth_of_a_volt",
    ),
}


# The same of board tools.
TOOLS = {
    (1, "'could not enter raw repl' on the first call after plug-in (mp 16142)"): (
        "unit/tools/board/test_link::"
        "test_tools_1_the_first_call_after_plug_in_enters_the_raw_repl",
    ),
    (1, "infinite waits on a silent or a chatty port (mp 16616, 16531)"): (
        "unit/tools/board/test_link::test_tools_1_a_silent_port_ends_at_its_limit",
        "unit/tools/board/test_link::test_tools_1_a_chatty_port_ends_at_its_limit",
        "unit/tools/board/test_link::"
        "test_tools_1_a_program_that_prints_and_ignores_ctrl_c_ends_at_the_limit",
        "unit/tools/board/test_link::"
        "test_tools_1_a_command_that_never_ends_is_given_up_and_the_board_can_be_had_back",
        "unit/tools/board/test_find::"
        "test_tools_1_silent_and_chatty_ports_are_asked_at_once_and_hold_nobody_up",
        "unit/tools/board/test_find::test_tools_1_a_driver_that_hangs_in_open_is_left_behind",
        "unit/tools/monitor/test_monitor::test_tools_1_a_silent_port_does_not_keep_the_monitor",
        "unit/tools/monitor/test_monitor::"
        "test_tools_1_a_chatty_port_neither_fills_the_memory_nor_keeps_the_monitor",
    ),
    (2, "opening the port resets the board (mp 9659, 18001)"): (
        "unit/tools/board/test_link::"
        "test_tools_2_opening_and_closing_the_port_does_not_reset_the_board",
        "unit/tools/monitor/test_monitor::"
        "test_tools_1_the_monitor_sends_nothing_to_the_board_and_its_program_runs_on",
    ),
    (3, "hashes instead of times"): (
        "unit/tools/deploy/test_deployment::"
        "test_tools_3_deploying_twice_sends_nothing_and_one_change_sends_one_module",
    ),
    (3, "data on the device that must not be deleted (mp 11777, rshell 184)"): (
        "unit/tools/deploy/test_deployment::"
        "test_tools_3_the_tree_that_an_older_fieldpost_deployed_makes_way_for_the_pack",
        "unit/tools/upkeep/test_pull::test_erase_asks_and_removes_what_deploy_put_there_alone",
    ),
    (4, "`.mpy` of the wrong version or architecture (mp 15356)"): (
        "unit/tools/deploy/test_deployment::"
        "test_tools_4_bytecode_of_another_version_is_refused_before_anything_is_sent",
    ),
    (4, "a stale `.py` that shadows the new `.mpy`"): (
        "unit/tools/deploy/test_deployment::"
        "test_tools_4_a_stale_source_that_would_shadow_the_new_bytecode_is_removed",
        "unit/tools/deploy/test_deployment::"
        "test_what_is_found_before_our_modules_is_named_and_left_alone",
    ),
    (5, "the wrong image flashed without a word (mpflash 28)"): (
        "unit/tools/flash/test_esp::"
        "test_tools_5_an_image_for_another_chip_is_refused_before_a_byte_is_written",
        "unit/tools/flash/test_uf2::"
        "test_tools_5_the_wrong_image_is_refused_before_anything_is_copied",
        "unit/tools/flash/test_uf2::test_tools_5_an_rp2040_image_is_refused_by_a_pico_2_w",
        "unit/tools/flash/test_uf2::"
        "test_tools_5_the_image_of_a_board_without_wifi_is_refused_by_a_running_pico_w",
    ),
    (5, "retry at a lower baud rate (mpflash 73)"): (
        "unit/tools/flash/test_esp::"
        "test_tools_5_a_line_too_bad_for_the_rate_is_tried_again_at_a_lower_one",
    ),
    (5, "a failed flash that exits 0 (micropython-stubber 586)"): (
        "unit/tools/flash/test_esp::test_tools_5_a_failed_flash_does_not_exit_with_0",
        "unit/tools/flash/test_esp::"
        "test_tools_5_an_esptool_that_ends_with_0_and_verified_nothing_is_a_failure",
        "unit/tools/flash/test_esp::"
        "test_tools_5_a_port_lost_in_the_middle_is_a_failure_that_says_so",
    ),
    (5, "a web server's error page saved and flashed as firmware"): (
        "unit/tools/flash/test_download::"
        "test_tools_5_a_web_page_with_status_200_is_never_kept_as_an_image",
        "unit/tools/flash/test_esp::"
        "test_tools_5_a_broken_image_or_a_web_page_does_not_reach_the_port",
    ),
    (
        6,
        "fleets: go on after a failure, run without a person (esphome 2858, 1965)",
    ): (
        "unit/tools/fleet/test_fleet::"
        "test_tools_6_a_fleet_skips_the_absent_and_the_up_to_date_and_goes_on_after_a_failure",
        "unit/tools/fleet/test_fleet::"
        "test_tools_6_what_differs_is_told_by_the_plan_and_made_by_apply",
        "unit/tools/fleet/test_flash::test_tools_6_an_empty_esp32_of_a_fleet_"
        "is_known_by_its_mac_flashed_and_becomes_its_node",
        "unit/tools/fleet/test_flash::"
        "test_tools_6_a_pico_w_of_another_version_goes_through_its_drive_and_becomes_its_node",
    ),
    (7, "credentials baked into images or committed"): (
        "unit/tools/provision/test_node_files::test_tools_7_no_secret_is_printed_whatever_happens",
        "unit/tools/provision/test_node_files::"
        "test_tools_7_the_secrets_file_is_not_in_a_checkout_that_is_committed",
        "unit/tools/fleet/test_file::test_tools_7_a_password_in_the_file_itself_is_refused",
        "whole/test_secrets::test_no_credentials_are_in_the_tree",
    ),
}


@cache
def names_in(module: str) -> frozenset[str]:
    """Names of the test functions in one file."""
    tree = ast.parse((HOST_TESTS / f"{module}.py").read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_complaint_has_a_home() -> None:
    assert {number for number, _ in HOMES} == set(range(1, 17))
    assert {number for number, _ in TOOLS} == set(range(1, 8))


@pytest.mark.parametrize(
    ("complaint", "home"),
    [(one, home) for table in (HOMES, TOOLS) for one, homes in table.items() for home in homes],
    ids=lambda value: f"{value[0]:02}" if isinstance(value, tuple) else value.split("::")[1],
)
def test_the_test_against_a_complaint_is_there(complaint: tuple[int, str], home: str) -> None:
    module, name = home.split("::")
    assert name in names_in(module), f"complaint {complaint[0]}: {complaint[1]}"


# With no other home ----------------------------------------------------------------------------


@pytest.mark.parametrize("port", PORTS)
def test_04_the_watchdog_is_fed_before_a_look_up_that_may_hang(port: str) -> None:
    """No port gives getaddrinfo a time-out. So it gets all the time that the watchdog has."""
    bench = Bench(port)
    Peer(bench.net)
    fed_before_ms = []
    resolve: Callable[..., Any] = bench.stack.socket.getaddrinfo

    def look_up(*arguments: Any) -> list[tuple]:
        fed_before_ms.append(bench.world.now_ms - bench.idled_ms[-1])
        return resolve(*arguments)

    bench.stack.socket.getaddrinfo = look_up
    bench.time.sleep_ms(3000)
    bench.open_wire()
    assert fed_before_ms == [0]


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_10_a_watchdog_shorter_than_the_join_resets_nothing(port: str) -> None:
    """Joining takes longer than the watchdog's time, and the network that is left on the way."""
    scene = scenario.make(1, 0.5, 1, [], False)
    scene.nodes[0].port = port
    scene.nodes[0].config["watchdog_s"] = 5
    played = Run(scene)
    (machine,) = played.machines
    machine.access_point.slow_ms = 12_000
    result = played.play()
    assert (result.boots, result.bites) == (1, 0)
    assert result.delivered >= 25


class TlsWithoutMemory:
    """An SSLContext that finds no room for its buffers, `times` times."""

    verify_mode = 2  # CERT_REQUIRED

    def __init__(self, error: BaseException, times: int) -> None:
        self._error = error
        self._times = times

    def wrap_socket(self, sock: Any, **_options: Any) -> Any:
        if self._times:
            self._times -= 1
            raise self._error
        return sock


@pytest.mark.parametrize("error", [OSError(ENOMEM), MemoryError()], ids=repr)
@pytest.mark.parametrize("port", PORTS)
def test_08_tls_without_memory_costs_one_attempt_and_no_descriptor(
    port: str, error: BaseException
) -> None:
    """Complaint 8: what ESP32 says when its own heap has no piece of 17 kB left."""
    bench = Bench(port)
    peer = Peer(bench.net)
    tls = TlsWithoutMemory(error, 3)
    bench.wire = TlsWire(bench.stack.socket, bench.stack.select, bench.time, None, tls)
    for _ in range(3):
        with pytest.raises(type(error)):
            bench.open_wire()
        assert bench.stack.open_sockets == []
    bench.open_wire()
    bench.wire.write(b"at last")
    bench.wire.flush()
    bench.time.sleep_ms(100)
    assert peer.data == b"at last"


def test_11_a_cold_start_can_be_interrupted_before_anything_runs(tmp_path: Path) -> None:
    with PortNode(tmp_path / "node", configuration(1, boot_window_s=5)) as node:
        node.says("starting in 5 s: Ctrl-C")
        assert node.interrupt() == 0
        assert not any("ready:" in line for line in node.lines)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("qos", [0, 1])
def test_12_what_was_published_just_before_the_end_arrives(port: str, qos: int) -> None:
    """Complaint 12: close() hands everything to TCP, and what has QoS 1 can be waited for."""
    bench = SessionBench("lib", port, stalls=((60, 700),))
    bench.open()
    for number in range(5):
        bench.session.publish(b"fieldpost/bench/status", b"%d" % number, False, qos)
    bench.session.flush()
    start_ms = bench.world.now_ms
    while qos and bench.session.waits():
        bench.wire.wait(bench.session.due_ms())
        bench.session.poll()
    bench.session.close()
    assert bench.world.now_ms - start_ms <= TIMEOUT_MS
    bench.time.sleep_ms(1000)
    assert [one.payload for one in bench.broker.records] == [b"%d" % n for n in range(5)]
    with fails_with(107):
        bench.session.flush()
