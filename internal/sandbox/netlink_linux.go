package sandbox

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// netlinkMessages is a buffer of netlink messages that is the same for every cell, so it is encoded once. See netlink(7),
// rtnetlink(7) and the kernel's include/uapi/linux/netfilter/nf_tables.h, whose names the numbers below carry.
type netlinkMessages struct {
	b   []byte
	seq uint32
}

func (n *netlinkMessages) message(kind, flags uint16, body []byte) {
	n.seq++
	n.b = binary.NativeEndian.AppendUint32(n.b, uint32(16+len(body)))
	n.b = binary.NativeEndian.AppendUint16(n.b, kind)
	n.b = binary.NativeEndian.AppendUint16(n.b, flags|unix.NLM_F_REQUEST)
	n.b = binary.NativeEndian.AppendUint32(n.b, n.seq)
	n.b = binary.NativeEndian.AppendUint32(n.b, 0)
	n.b = append(n.b, body...)
}

// attribute appends one attribute, padded to four bytes.
func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func text(b []byte, kind uint16, s string) []byte { return attribute(b, kind, append([]byte(s), 0)) }

func number(b []byte, kind uint16, n uint32) []byte {
	return attribute(b, kind, binary.BigEndian.AppendUint32(nil, n))
}

func nested(b []byte, kind uint16, inner []byte) []byte {
	return attribute(b, kind|unix.NLA_F_NESTED, inner)
}

// localRoute makes every address local, so that a connection to any of them stays inside the cell.
func localRoute() []byte {
	rt := make([]byte, unix.SizeofRtMsg)
	rt[0] = unix.AF_INET
	rt[4] = unix.RT_TABLE_LOCAL
	rt[5] = unix.RTPROT_BOOT
	rt[6] = unix.RT_SCOPE_HOST
	rt[7] = unix.RTN_LOCAL
	const loopback = 1 // the index of lo, the first device of a namespace
	rt = attribute(rt, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, loopback))
	rt = attribute(rt, unix.RTA_PREFSRC, []byte{127, 0, 0, 1})
	var n netlinkMessages
	n.message(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_ACK, rt)
	return n.b
}

// redirectRules are the nftables rules by which every TCP connection that does not go to a loopback address, and every one to the
// loopback's DNS port, arrives at the cell's egress listener.
func redirectRules(port uint16) []byte {
	const (
		nfnlBatchBegin, nfnlBatchEnd        = 0x10, 0x11
		newTable, newChain, newRule         = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWCHAIN, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
		tableName, chainName                = "lambent", "egress"
		hookOutput                          = 3
		priorityDNAT                 uint32 = 1<<32 - 100
	)
	family := func(f byte, resource uint16) []byte {
		return binary.BigEndian.AppendUint16([]byte{f, 0}, resource)
	}
	var n netlinkMessages
	n.message(nfnlBatchBegin, 0, family(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES))
	n.message(newTable, unix.NLM_F_CREATE, text(family(unix.AF_INET, 0), unix.NFTA_TABLE_NAME, tableName))

	chain := text(family(unix.AF_INET, 0), unix.NFTA_CHAIN_TABLE, tableName)
	chain = text(chain, unix.NFTA_CHAIN_NAME, chainName)
	chain = nested(chain, unix.NFTA_CHAIN_HOOK, number(number(nil, unix.NFTA_HOOK_HOOKNUM, hookOutput), unix.NFTA_HOOK_PRIORITY, priorityDNAT))
	chain = text(chain, unix.NFTA_CHAIN_TYPE, "nat")
	n.message(newChain, unix.NLM_F_CREATE, chain)

	rule := func(last bool, expressions ...[]byte) {
		body := text(family(unix.AF_INET, 0), unix.NFTA_RULE_TABLE, tableName)
		body = text(body, unix.NFTA_RULE_CHAIN, chainName)
		var list []byte
		for _, e := range expressions {
			list = nested(list, unix.NFTA_LIST_ELEM, e)
		}
		flags := uint16(unix.NLM_F_CREATE | unix.NLM_F_APPEND)
		if last {
			flags |= unix.NLM_F_ACK
		}
		n.message(newRule, flags, nested(body, unix.NFTA_RULE_EXPRESSIONS, list))
	}
	isTCP := [][]byte{nftMeta(unix.NFT_META_L4PROTO), nftCompare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_TCP})}
	toLoopback := func(op uint32) [][]byte {
		return [][]byte{nftPayload(unix.NFT_PAYLOAD_NETWORK_HEADER, 16, 4), nftMask([]byte{255, 0, 0, 0}), nftCompare(op, []byte{127, 0, 0, 0})}
	}
	redirect := [][]byte{nftImmediate(binary.BigEndian.AppendUint16(nil, port)), nftRedirect()}
	toDNS := [][]byte{nftPayload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2), nftCompare(unix.NFT_CMP_EQ, []byte{0, 53})}
	rule(false, concat(isTCP, toLoopback(unix.NFT_CMP_EQ), toDNS, redirect)...)
	rule(true, concat(isTCP, toLoopback(unix.NFT_CMP_NEQ), redirect)...)
	n.message(nfnlBatchEnd, 0, family(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES))
	return n.b
}

func concat(lists ...[][]byte) [][]byte {
	var out [][]byte
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// The expressions of nf_tables that the rules use, all on register 1.

func nftExpr(name string, data []byte) []byte {
	return nested(text(nil, unix.NFTA_EXPR_NAME, name), unix.NFTA_EXPR_DATA, data)
}

func nftValue(b []byte, kind uint16, value []byte) []byte {
	return nested(b, kind, attribute(nil, unix.NFTA_DATA_VALUE, value))
}

func nftMeta(key uint32) []byte {
	return nftExpr("meta", number(number(nil, unix.NFTA_META_DREG, unix.NFT_REG_1), unix.NFTA_META_KEY, key))
}

func nftPayload(base, offset, length uint32) []byte {
	d := number(number(nil, unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1), unix.NFTA_PAYLOAD_BASE, base)
	return nftExpr("payload", number(number(d, unix.NFTA_PAYLOAD_OFFSET, offset), unix.NFTA_PAYLOAD_LEN, length))
}

func nftMask(mask []byte) []byte {
	d := number(number(nil, unix.NFTA_BITWISE_SREG, unix.NFT_REG_1), unix.NFTA_BITWISE_DREG, unix.NFT_REG_1)
	d = number(d, unix.NFTA_BITWISE_LEN, uint32(len(mask)))
	return nftExpr("bitwise", nftValue(nftValue(d, unix.NFTA_BITWISE_MASK, mask), unix.NFTA_BITWISE_XOR, make([]byte, len(mask))))
}

func nftCompare(op uint32, value []byte) []byte {
	d := number(number(nil, unix.NFTA_CMP_SREG, unix.NFT_REG_1), unix.NFTA_CMP_OP, op)
	return nftExpr("cmp", nftValue(d, unix.NFTA_CMP_DATA, value))
}

func nftImmediate(value []byte) []byte {
	return nftExpr("immediate", nftValue(number(nil, unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1), unix.NFTA_IMMEDIATE_DATA, value))
}

func nftRedirect() []byte {
	const regProtoMin = 1 // NFTA_REDIR_REG_PROTO_MIN
	return nftExpr("redir", number(nil, regProtoMin, unix.NFT_REG_1))
}
