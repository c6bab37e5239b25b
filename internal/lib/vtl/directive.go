package vtl

// directive reads a directive of which p.at is the hash sign.
func (p *parser) directive(name string) (node, error) {
	p.skipName(name)
	switch name {
	case "set":
		return p.set()
	case "if":
		return p.condition()
	case "foreach":
		return p.foreach()
	case "define":
		return p.define()
	case "macro":
		return nil, p.macro()
	case "break":
		p.blankLine()
		return breakNode{}, nil
	}
	p.blankLine()
	return stopNode{}, nil
}

func (p *parser) set() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	p.space()
	target, err := p.needReference()
	if err != nil {
		return nil, err
	}
	if err := p.expect('='); err != nil {
		return nil, err
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	p.blankLine()
	return &setNode{target: target, value: value}, nil
}

// parenthesised reads the condition of #if and #elseif.
func (p *parser) parenthesised() (expr, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	p.blankLine()
	return e, nil
}

func (p *parser) condition() (node, error) {
	n := &ifNode{}
	for end := "elseif"; end != "end"; {
		var b branch
		var err error
		last := end == "else"
		if !last {
			if b.when, err = p.parenthesised(); err != nil {
				return nil, err
			}
		}
		if b.nodes, end, err = p.block(); err != nil {
			return nil, err
		}
		if end == "" || last && end != "end" {
			return nil, p.fault("expected the #end of #if")
		}
		n.branches = append(n.branches, b)
	}
	return n, nil
}

// body reads the block of a directive and its #end.
func (p *parser) body(of string) ([]node, error) {
	p.blankLine()
	nodes, end, err := p.block()
	if err == nil && end != "end" {
		err = p.fault("expected the #end of #" + of)
	}
	return nodes, err
}

func (p *parser) foreach() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	p.space()
	item, err := p.needReference()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.word("in") {
		return nil, p.fault("expected in")
	}
	n := &foreachNode{item: item.slot}
	if n.list, err = p.expression(); err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	n.nodes, err = p.body("foreach")
	return n, err
}

func (p *parser) define() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	p.space()
	name, err := p.needReference()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	nodes, err := p.body("define")
	return &defineNode{slot: name.slot, block: &defined{nodes: nodes}}, err
}

// macro reads the definition of a macro and drops it.
func (p *parser) macro() error {
	p.space()
	end := balanced(p.text, p.at)
	if end == p.at {
		return p.fault("expected )")
	}
	p.at = end
	_, err := p.body("macro")
	return err
}
