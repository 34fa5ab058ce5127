"""The lab itself: without a gate everything is reachable, and the servers count what arrives."""
from client import RESET, THROUGH


def test_plain_routing_reaches_every_server(town):
    for family in (4, 6):
        for laptop in (town.alice, town.bob):
            assert laptop.try_http(town.WIKI[family]) == THROUGH
            assert laptop.try_tcp(town.PAYROLL[family], town.ECHO) == THROUGH
            assert laptop.try_http(town.NEWS[family]) == THROUGH
            assert laptop.try_tcp(town.NEWS[family], 9) == RESET
    assert town.servers.count("payroll", town.alice.address[4]) == (1, 6)
    assert town.servers.count("payroll") == (4, 24)


def test_a_laptop_moves_and_curl_sees_its_own_hosts(town):
    assert "10.77.0.11" in town.alice.curl(f"http://{town.WIKI[4]}/").stdout
    town.alice.move("10.77.0.99", "fd77::99")
    assert "10.77.0.99" in town.alice.curl(f"http://{town.WIKI[4]}/").stdout
    assert "fd77::99" in town.alice.curl("-g", f"http://[{town.WIKI[6]}]/").stdout
    town.bob.move(town.alice.address[4], town.alice.address[6])
    assert town.bob.try_tcp(town.PAYROLL[4], town.ECHO) == THROUGH
