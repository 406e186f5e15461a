"""Many runs over a few sockets: none is lost, and none waits for another. `make soak` has more."""

from tests.simulation.sockets import play

CUTS = 30


def test_no_run_is_lost_however_its_socket_is_cut_and_all_go_at_their_pace() -> None:
    played = play(runs=50, sockets=10, cuts=CUTS, seed=1)

    assert played.wrong == []
    assert played.cuts == CUTS
    assert played.gap < 10  # each of them says something every second or so
