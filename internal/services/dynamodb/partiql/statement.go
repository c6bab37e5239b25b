package partiql

import (
	"fmt"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
)

// Kind is what a statement does.
type Kind uint8

// The kinds of statements. Exists is a condition of a transaction.
const (
	Select Kind = iota
	Insert
	Update
	Delete
	Exists
)

// Statement is a parsed statement. Its fields are set as far as its kind has them.
type Statement struct {
	Kind Kind
	// Table and Index name what the statement reads or writes.
	Table, Index string
	// Columns are what a SELECT returns; nil means everything.
	Columns []attr.Path
	// Where may be nil.
	Where *expr.Condition
	// Order are the attributes of ORDER BY.
	Order []Order
	// Item is what an INSERT inserts.
	Item attr.Map
	// Changes are what an UPDATE does.
	Changes *expr.Update
	// Returning is what a write returns.
	Returning Returning
}

// Order is an attribute of ORDER BY.
type Order struct {
	Name       string
	Descending bool
}

// Returning is the RETURNING clause of a write.
type Returning uint8

// What a write may return.
const (
	ReturnNothing Returning = iota
	ReturnAllOld
	ReturnAllNew
	ReturnModifiedOld
	ReturnModifiedNew
)

// Error tells that a statement is not valid. Its text is for clients.
type Error struct{ Message string }

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) *Error { return &Error{fmt.Sprintf(format, args...)} }

// Project returns the columns of an item under their names: the last name of each path, or its place for one that ends with an index.
func (s *Statement) Project(item attr.Map) attr.Map {
	if s.Columns == nil {
		return item
	}
	fields := make([]attr.Field, 0, len(s.Columns))
	for i, path := range s.Columns {
		name := path[len(path)-1].Name
		if name == "" {
			name = fmt.Sprintf("_%d", i+1)
		}
		if v := item.Lookup(path); v != nil {
			fields = append(fields, attr.Field{Name: name, Value: v})
		}
	}
	return attr.NewMap(fields...)
}

// Parse parses a statement with its parameters, of which it must use all.
func Parse(src string, parameters []attr.Value) (*Statement, error) {
	p := &parser{lexer: lexer{src: src}, parameters: parameters}
	for _, v := range parameters {
		if err := v.Err(); err != nil {
			return nil, err
		}
	}
	p.advance()
	s := p.statement()
	p.take(";")
	if p.tok.kind != end {
		p.leftOver()
	}
	if p.err == nil && p.used != len(parameters) {
		p.err = errorf("Number of parameters in request and statement don't match.")
	}
	if p.err != nil {
		return nil, p.err
	}
	if s.Changes != nil {
		if err := s.Changes.Check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}
