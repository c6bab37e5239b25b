# frozen_string_literal: true

# What a parked process runs: the code paths of an ordinary handler.
def lambent_warm(event:, context:)
  puts "parked #{context.aws_request_id} #{context.get_remaining_time_in_millis.positive?}"
  { statusCode: 200, headers: { 'Content-Type' => 'application/json' }, body: JSON.generate(event) }
end
