package ec2

import (
	"net/netip"
)

// The sizes that blocks of networks and subnets may have (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html).
const (
	widestBlock   = 16
	narrowestIPv4 = 28
	// reservedIPs are the addresses of a subnet that AWS keeps: the network, the router, the name server, one for later, and the broadcast address.
	reservedIPs = 5
	firstFree   = 4
)

// parseBlock reads an IPv4 block in its canonical form.
func parseBlock(s, parameter string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, invalid("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", s, parameter)
	}
	return p.Masked(), nil
}

// parseBlock6 reads an IPv6 block of a size.
func parseBlock6(s, parameter string, bits int) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is6() || p.Bits() != bits {
		return p, invalid("Value (%s) for parameter %s is invalid. This is not a valid IPv6 CIDR block of /%d.", s, parameter, bits)
	}
	return p.Masked(), nil
}

// within tells whether block lies in one of a network's.
func within(block netip.Prefix, outer []netip.Prefix) bool {
	for _, o := range outer {
		if o.Bits() <= block.Bits() && o.Contains(block.Addr()) {
			return true
		}
	}
	return false
}

func overlaps(block netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if o.Overlaps(block) {
			return true
		}
	}
	return false
}

// usable returns how many addresses of a subnet's block can be given out.
func usable(block netip.Prefix) int { return 1<<(32-block.Bits()) - reservedIPs }

// freeAddress returns the first address of a subnet's block that nobody has.
func freeAddress(block netip.Prefix, taken map[netip.Addr]bool) (netip.Addr, bool) {
	a := block.Addr()
	for range firstFree {
		a = a.Next()
	}
	for range usable(block) {
		if !taken[a] {
			return a, true
		}
		a = a.Next()
	}
	return a, false
}

// mayHave tells whether an address can be given out in a subnet.
func mayHave(block netip.Prefix, a netip.Addr) bool {
	if !block.Contains(a) {
		return false
	}
	first := block.Addr()
	for range firstFree {
		if first == a {
			return false
		}
		first = first.Next()
	}
	return block.Contains(a.Next()) // the last one is for broadcasts
}

// nextSubnet returns the first block of a size in a network that overlaps none that is taken.
func nextSubnet(network netip.Prefix, bits int, taken []netip.Prefix) (netip.Prefix, bool) {
	for p := netip.PrefixFrom(network.Addr(), bits); network.Contains(p.Addr()); p = netip.PrefixFrom(after(p), bits) {
		if !overlaps(p, taken) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// after returns the first address behind an IPv4 block.
func after(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n += 1 << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
