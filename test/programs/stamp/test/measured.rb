# frozen_string_literal: true

require "simplecov"

# Both suites write into one .resultset.json, each under its name, as those of a real project do.
def measured(command)
  SimpleCov.start do
    command_name command
    enable_coverage :branch
    root File.expand_path("..", __dir__)
    coverage_dir ENV.fetch("STAMP_COVERAGE")
    add_filter "/test/"
    formatter SimpleCov::Formatter::SimpleFormatter
  end
end
