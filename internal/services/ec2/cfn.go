package ec2

import "lambent.dev/lambent/internal/service"

func (s *Service) resources() []service.ResourceType { return nil }
