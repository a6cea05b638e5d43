# frozen_string_literal: true

require_relative "measured"
measured "Integration"
require_relative "../lib/stamp"
require "minitest/autorun"

class PostOfficeTest < Minitest::Test
  def test_letters_abroad
    assert_equal 125, Stamp.new(30, abroad: true).cents
    assert_raises(ArgumentError) { Stamp.new(9_000).cents }
  end
end
